// The editor of a draft: a cell is checked when it is left, a block from a spreadsheet is pasted where the cursor is,
// and what is typed is not lost by leaving. Without this script the same is done by saving the form.
"use strict";

(() => {
  const form = () => document.getElementById("cells-form");
  const checks = new Map();

  async function check(input) {
    const own = form();
    if (!own?.dataset.check || !input.name.startsWith("c.")) return;
    const [, row, ...key] = input.name.split(".");
    const fields = new URLSearchParams({
      form_token: own.elements.form_token.value, part: own.dataset.sheet, key: key.join("."),
      origin: own.elements[`o.${row}`]?.value ?? "", written: input.value,
    });
    const mine = Symbol("check");
    checks.set(input.name, mine);
    try {
      const answer = await fetch(own.dataset.check, { method: "POST", body: fields, headers: { "X-Part": "cell" } });
      if (!answer.ok || checks.get(input.name) !== mine || !input.isConnected) return;
      show(input, (await answer.json()).faults);
    } catch { /* Saving tells as well. */ }
  }

  function show(input, faults) {
    const place = document.getElementById(`e-${input.id}`);
    if (!place) return;
    place.textContent = faults.join(" ");
    if (faults.length) input.setAttribute("aria-invalid", "true");
    else input.removeAttribute("aria-invalid");
  }

  function mark() { form()?.classList.add("is-dirty"); }
  const isDirty = () => form()?.classList.contains("is-dirty");

  document.addEventListener("change", (event) => {
    if (event.target.closest?.("#cells-form [data-cell]")) { mark(); check(event.target); }
  });
  document.addEventListener("input", (event) => { if (event.target.closest?.("#cells-form [data-cell]")) mark(); });

  // A block of cells from a spreadsheet: rows and columns from the cell under the cursor on; what does not fit is
  // handed to the box below, which makes new rows.
  document.addEventListener("paste", (event) => {
    const input = event.target.closest?.("#cells-form [data-cell]");
    const text = event.clipboardData?.getData("text/plain") ?? "";
    const lines = text.replace(/\r\n?/g, "\n").replace(/\n+$/, "").split("\n").map((line) => line.split("\t"));
    if (!input || (lines.length < 2 && lines[0].length < 2)) return;
    event.preventDefault();
    const rows = [...form().querySelectorAll("tbody tr")];
    const first = rows.indexOf(input.closest("tr"));
    const column = [...rows[first].querySelectorAll("[data-cell]")].indexOf(input);
    const left = lines.slice(rows.length - first);
    lines.slice(0, rows.length - first).forEach((cells, down) => {
      const own = [...rows[first + down].querySelectorAll("[data-cell]")];
      cells.forEach((cell, right) => { if (own[column + right]) fill(own[column + right], cell); });
    });
    mark();
    if (left.length && column === 0) {
      const box = document.getElementById("paste-box");
      box.value = left.map((cells) => cells.join("\t")).join("\n");
      box.closest("details").open = true;
      box.scrollIntoView({ block: "center" });
      box.focus();
    }
  });

  function fill(field, cell) {
    const words = cell.trim();
    if (field.tagName === "SELECT") {
      const found = [...field.options].find((option) => option.value === words || option.textContent.trim() === words);
      if (found) field.value = found.value;
      else show(field, [words]);
    } else field.value = words;
    check(field);
  }

  // Enter goes down a column as in a spreadsheet; Ctrl+Enter saves.
  document.addEventListener("keydown", (event) => {
    const input = event.target.closest?.("#cells-form [data-cell]");
    if (!input || event.isComposing) return;
    if ((event.ctrlKey || event.metaKey) && (event.key === "Enter" || event.key === "s")) {
      event.preventDefault();
      form().requestSubmit(form().querySelector("[value=save]"));
    } else if (event.key === "Enter" && input.tagName === "INPUT") {
      event.preventDefault();
      const row = input.closest("tr"), at = [...row.querySelectorAll("[data-cell]")].indexOf(input);
      const next = event.shiftKey ? row.previousElementSibling : row.nextElementSibling;
      next?.querySelectorAll("[data-cell]")[at]?.focus();
    }
  });

  function light() {
    const tried = document.getElementById("trial");
    const fired = new Set((tried?.dataset.fired ?? "").split(" ").filter(Boolean));
    for (const row of document.querySelectorAll("#cells-form tbody tr")) row.classList.toggle("lit", fired.has(row.dataset.rule));
    document.querySelector("#cells-form tr.lit")?.scrollIntoView({ block: "nearest" });
  }

  document.addEventListener("part", (event) => {
    if (event.detail.names.includes("trial")) light();
    const wanted = form()?.dataset.focus;
    if (event.detail.names.includes("bench") && wanted) document.getElementById(wanted)?.focus();
  });
  addEventListener("beforeunload", (event) => { if (isDirty()) event.preventDefault(); });
  document.addEventListener("submit", (event) => { if (event.target.id === "cells-form") form().classList.remove("is-dirty"); }, true);
})();
