"use strict";
(() => {
  const body = document.getElementById("events");
  const live = document.getElementById("live");
  const keep = 300;
  const when = (time) => {
    const element = document.createElement("time");
    element.dateTime = time;
    element.textContent = new Date(time).toLocaleString();
    return element;
  };
  for (const element of document.querySelectorAll("time")) element.replaceWith(when(element.dateTime));
  const cell = (row, ...content) => row.insertCell().append(...content);
  const show = (event) => {
    const row = body.insertRow(0);
    row.className = event.class;
    const cause = document.createElement("small");
    cause.className = "dim";
    cause.textContent = event.cause ? ` ← ${event.cause}` : "";
    const kind = document.createElement("code");
    kind.textContent = event.kind;
    cell(row, String(event.seq), cause);
    cell(row, when(event.time));
    cell(row, event.place);
    cell(row, kind);
    cell(row, event.what);
    while (body.rows.length > keep) body.deleteRow(-1);
  };
  let last = Number(body.dataset.last);
  const source = new EventSource(`/?after=${last}`);
  source.onopen = () => { live.textContent = "live"; live.className = "good"; };
  source.onerror = () => { live.textContent = "not connected; trying again"; live.className = "bad"; };
  source.onmessage = (message) => {
    const event = JSON.parse(message.data);
    if (event.seq <= last) return;
    last = event.seq;
    show(event);
  };
})();
