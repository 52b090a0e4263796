// UNTESTED EXAMPLE: one shard of a cohort per Nextflow process: nextflow run main.nf --input IN --output OUT --shards 100
params.shards = 100

process PLAN {
    output: val true
    script: "xray2mri cohort-plan ${params.input} ${params.output}"
}

process SHARD {
    cpus 8
    memory '24 GB'
    errorStrategy 'retry'
    maxRetries 3
    input: val number
    output: val number
    script: "xray2mri cohort ${params.input} ${params.output} --shard ${number}/${params.shards} --workers ${task.cpus} --allow-partial"
}

process SUMMARY {
    input: val all
    script: "xray2mri cohort-summary ${params.output}"
}

workflow {
    shards = PLAN() | flatMap { 1..params.shards }
    SHARD(shards) | collect | SUMMARY
}
