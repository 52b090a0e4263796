"""What SCCDM is compared with on the same data.

======================= ==============================================================================================
module                  what it holds
======================= ==============================================================================================
:mod:`.given`           what a method is given of a foot
:mod:`.untrained`       the photograph itself, mean radiograph, another radiograph, radiograph of the nearest photograph
======================= ==============================================================================================
"""
