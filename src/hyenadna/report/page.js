// Tables that sort and download; without this the page reads the same.
"use strict";

// What a cell says without its small print.
const shown = (cell) => [...cell.childNodes].filter((node) => node.localName !== "small").map((node) => node.textContent).join("").trim();
const plain = (cell) => cell.dataset.value ?? (shown(cell) === "–" ? "" : shown(cell));

function compare(a, b) {
  const [x, y] = [Number(a), Number(b)];
  return Number.isNaN(x) || Number.isNaN(y) ? a.localeCompare(b, undefined, { numeric: true }) : x - y;
}

function sort(head, column) {
  const ascending = head.getAttribute("aria-sort") !== "ascending";
  for (const other of head.parentElement.cells) other.removeAttribute("aria-sort");
  head.setAttribute("aria-sort", ascending ? "ascending" : "descending");
  const body = head.closest("table").tBodies[0];
  const rows = [...body.rows].map((row) => [plain(row.cells[column]), row]);
  // What has no value stays at the end, whatever the direction.
  rows.sort(([a], [b]) => (a === "") - (b === "") || (ascending ? 1 : -1) * compare(a, b));
  body.append(...rows.map(([, row]) => row));
}

function asTsv(table) {
  const heads = [...table.tHead.rows[0].cells];
  const clean = (text) => text.replace(/\s+/g, " ").replaceAll("\u2011", "-").trim();
  const lines = [heads.flatMap((head) => {
    const title = clean(head.textContent);
    return head.hasAttribute("data-spread") ? [title, `${title} sd`, `${title} n`] : [title];
  })];
  for (const row of table.tBodies[0].rows) {
    lines.push(heads.flatMap((head, column) => {
      const cell = row.cells[column];
      const value = clean(plain(cell));
      return head.hasAttribute("data-spread") ? [value, cell.dataset.sd ?? "", cell.dataset.n ?? ""] : [value];
    }));
  }
  return lines.map((line) => line.join("\t") + "\n").join("");
}

function download(table) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([asTsv(table)], { type: "text/tab-separated-values" }));
  link.download = `${table.dataset.name}.tsv`;
  link.click();
  URL.revokeObjectURL(link.href);
}

for (const table of document.querySelectorAll("table")) {
  [...table.tHead.rows[0].cells].forEach((head, column) => {
    const button = document.createElement("button");
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => sort(head, column));
  });
  const button = document.createElement("button");
  button.className = "download";
  button.textContent = "Download TSV";
  button.addEventListener("click", () => download(table));
  table.parentElement.after(button);
}

addEventListener("beforeprint", () => {
  for (const details of document.querySelectorAll("details.fold")) details.open = true;
});
