"use strict";
// Sorts tables by a column and filters printed numbers by their verdict. The page is complete without it.

const NEXT = { none: "ascending", ascending: "descending", descending: "none" };
const bodies = new Map(); // of each row of a sortable table: where it stands in the paper's order

// What groups several rows is one cell for all of them. So that each row can be moved or hidden, it gets a cell of its
// own; `join` shows the first of those that stand together.
function spread(table) {
  for (const body of table.tBodies) {
    for (const row of body.rows) {
      bodies.set(row, body);
      if (row !== body.rows[0] && body.rows[0].cells[0].hasAttribute("rowspan")) {
        row.prepend(body.rows[0].cells[0].cloneNode(true));
      }
    }
  }
}

function join(table) {
  let first = null;
  for (const row of table.querySelectorAll("tbody tr:not([hidden])")) {
    const cell = row.cells[0];
    cell.hidden = Boolean(first) && bodies.get(first) === bodies.get(row) && cell.hasAttribute("rowspan");
    if (cell.hidden) {
      first.cells[0].rowSpan += 1;
    } else {
      first = row;
      if (cell.hasAttribute("rowspan")) cell.rowSpan = 1;
    }
  }
}

function key(cell, numeric) {
  const text = cell.textContent.trim();
  if (!numeric) return text === "–" ? "" : text;
  const number = parseFloat(text.replace("−", "-").replace(/^\[/, "")); // of an interval: its lower end
  return Number.isNaN(number) ? "" : number;
}

function sort(table, column, direction) {
  const numeric = table.tHead.rows[0].cells[column].classList.contains("n");
  const sign = direction === "descending" ? -1 : 1;
  const rows = [...bodies.keys()].filter((row) => row.closest("table") === table); // in the paper's order
  if (direction === "none") {
    for (const row of rows) bodies.get(row).append(row);
  } else {
    const keys = new Map(rows.map((row) => [row, key(row.cells[column], numeric)]));
    rows.sort((one, other) => {
      const [a, b] = [keys.get(one), keys.get(other)];
      if (a === "" || b === "") return (a === "") - (b === ""); // empty cells last in both directions
      return sign * (numeric ? a - b : a.localeCompare(b, "en", { numeric: true }));
    });
    table.tBodies[0].append(...rows);
  }
  for (const head of table.tHead.rows[0].cells) head.setAttribute("aria-sort", "none");
  table.tHead.rows[0].cells[column].setAttribute("aria-sort", direction);
  join(table);
}

const tables = [...document.querySelectorAll("table:not(.confusion)")].filter((table) => table.tHead.rows.length === 1);
for (const table of tables) {
  spread(table);
  [...table.tHead.rows[0].cells].forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    button.addEventListener("click", () => sort(table, column, NEXT[head.getAttribute("aria-sort")]));
    head.append(button);
    head.setAttribute("aria-sort", "none");
  });
  join(table);
}

const filter = document.querySelector(".filter");
const numbers = [...document.querySelectorAll("[data-verdict]")];

function show(wanted) {
  for (const number of numbers) number.hidden = !wanted(number.dataset.verdict);
  for (const table of tables) join(table);
}

function apply() {
  const boxes = filter ? [...filter.querySelectorAll("input")] : [];
  const leftOut = boxes.filter((box) => !box.checked).map((box) => box.value);
  show((verdict) => !leftOut.includes(verdict));
  const hidden = numbers.filter((number) => number.hidden).length;
  if (filter) filter.querySelector("output").textContent = `${hidden} of ${numbers.length} hidden`;
}

if (filter) {
  filter.hidden = false;
  filter.addEventListener("change", apply);
  apply(); // a browser may remember the boxes of the last visit
}

// On paper nothing is hidden.
let closed = [];
addEventListener("beforeprint", () => {
  closed = [...document.querySelectorAll("details:not([open])")];
  for (const details of closed) details.open = true;
  show(() => true);
});
addEventListener("afterprint", () => {
  for (const details of closed) details.open = false;
  apply();
});
