"use strict";
const table = document.getElementById("latents"), body = table.tBodies[0], rows = [...body.rows];
const field = (id) => document.getElementById(id);
const value = (row, column) => row.cells[column].dataset.value ?? row.cells[column].textContent;
const bound = (id, otherwise) => (field(id).value === "" ? otherwise : Number(field(id).value));

function filter() {
  const word = field("word").value.toLowerCase(), least = bound("least", -Infinity), most = bound("most", Infinity);
  let shown = 0;
  for (const row of rows) {
    const density = Number(row.dataset.density);
    row.hidden = !(row.dataset.words.toLowerCase().includes(word) && least <= density && density <= most);
    shown += !row.hidden;
  }
  field("count").textContent = `${shown} shown`;
}

function sort(header) {
  const column = header.cellIndex, numeric = header.classList.contains("n");
  const down = numeric !== (header.getAttribute("aria-sort") === (numeric ? "descending" : "ascending"));
  for (const one of table.tHead.rows[0].cells) one.setAttribute("aria-sort", "none");
  header.setAttribute("aria-sort", down ? "descending" : "ascending");
  const order = (a, b) => (numeric ? value(a, column) - value(b, column) : value(a, column).localeCompare(value(b, column)));
  rows.sort((a, b) => (down ? order(b, a) : order(a, b)));
  body.append(...rows);
}

for (const id of ["word", "least", "most"]) field(id).addEventListener("input", filter);
for (const header of table.tHead.rows[0].cells) header.querySelector("button").addEventListener("click", () => sort(header));
