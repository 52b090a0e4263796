"use strict";
// Shows /api/board and asks for another attempt. Everything is set as text, so nothing that a study says becomes markup.
const GROUPS = ["all", "waiting", "running", "sending", "done", "refused", "failed"];
const byId = (id) => document.getElementById(id);
let shown = "all";
let board = { rows: [], counts: {} };
let wanted = null;

function made(tag, text, className) {
  const element = document.createElement(tag);
  if (text !== undefined) element.textContent = text;
  if (className) element.className = className;
  return element;
}

function span(seconds) {
  if (!(seconds >= 0)) return "";
  if (seconds < 90) return `${Math.round(seconds)} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  if (seconds < 129600) return `${Math.round(seconds / 3600)} h`;
  return `${Math.round(seconds / 86400)} days`;
}

function reason(row, now) {
  const cell = made("td", row.code, "reason");
  const later = row.due > now && !row.ended ? `next look in ${span(row.due - now)}` : "";
  const words = [row.text, later].filter(Boolean).join("; ");
  if (words) cell.append(made("small", words));
  return cell;
}

function study(row) {
  const cell = made("td"), name = made("code", row.study.slice(0, 8));
  if (!row.link) { cell.append(name); return cell; }
  const link = made("a");
  link.href = row.link; link.rel = "noreferrer noopener"; link.target = "_blank"; link.title = "Open in the viewer";
  link.append(name); cell.append(link);
  return cell;
}

function drawRow(row, now) {
  const line = made("tr");
  line.append(made("td", row.group, `state ${row.group}`), study(row), reason(row, now));
  line.append(made("td", row.received ? `${span(Math.max(0, now - row.received))} ago` : "", "number"));
  line.append(made("td", row.began ? span((row.ended || now) - row.began) : "", "number"));
  line.append(made("td", row.attempts || "", "number"));
  const sent = row.sent.map(([name, count]) => `${name} ${count}`).join(", ");
  line.append(made("td", row.instances ? `${row.instances} instances${sent ? `; ${sent}` : ""}` : "", "number"));
  const last = made("td");
  if (board.can_retry && (row.group === "failed" || row.group === "refused")) {
    const button = made("button", "Try again");
    button.addEventListener("click", () => ask(row.study));
    last.append(button);
  }
  line.append(last);
  return line;
}

function draw() {
  const now = Date.now() / 1000;
  byId("title").textContent = board.title || "";
  byId("version").textContent = board.version || "";
  byId("disclaimer").textContent = board.disclaimer || "";
  byId("orthanc").textContent = board.ready ? "Orthanc answers" : "Orthanc does not answer";
  byId("orthanc").className = board.ready ? "" : "down";
  byId("groups").replaceChildren(...GROUPS.map((group) => {
    const count = group === "all" ? board.rows.length : board.counts[group] || 0;
    const button = made("button", `${group} ${count}`);
    button.setAttribute("aria-pressed", String(group === shown));
    button.addEventListener("click", () => { shown = group; draw(); });
    return button;
  }));
  const rows = board.rows.filter((row) => shown === "all" || row.group === shown);
  byId("rows").replaceChildren(...rows.map((row) => drawRow(row, now)));
  byId("empty").hidden = rows.length > 0;
}

function ask(name) {
  wanted = name;
  byId("token").value = sessionStorage.getItem("token") || "";
  byId("ask").showModal();
}

async function retry() {
  const token = byId("token").value;
  const answer = await fetch("api/retry", {
    method: "POST",
    headers: { Authorization: `Bearer ${token}`, "Content-Type": "application/json" },
    body: JSON.stringify({ study: wanted }),
  });
  if (answer.ok) sessionStorage.setItem("token", token); else sessionStorage.removeItem("token");
  byId("message").textContent = answer.ok ? "" : (await answer.json()).error;
  await load();
}

async function load() {
  try {
    const answer = await fetch("api/board");
    board = await answer.json();
    draw();
  } catch {
    byId("orthanc").textContent = "The worker does not answer";
    byId("orthanc").className = "down";
  }
}

byId("ask").addEventListener("close", () => { if (byId("ask").returnValue === "send") retry(); });
load();
setInterval(load, 5000);
