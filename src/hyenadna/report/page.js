// Tables that sort, filter and download, and a choice of protocols; without this all is shown.
"use strict";

const LONG = 8; // rows from which on a table has a box to filter them

const made = (name, properties = {}) => Object.assign(document.createElement(name), properties);
// What a cell says without its small print.
const shown = (cell) => [...cell.childNodes].filter((node) => node.localName !== "small").map((node) => node.textContent).join("").trim();
const plain = (cell) => cell.dataset.value ?? (shown(cell) === "–" ? "" : shown(cell));
// One line, with a hyphen where the page has one that does not break.
const tidy = (text) => text.replace(/\s+/g, " ").replaceAll("\u2011", "-").trim();

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

function filter(table, wanted, status) {
  const words = tidy(wanted).toLowerCase().split(" ");
  const rows = [...table.tBodies[0].rows];
  for (const row of rows) {
    const text = tidy([...row.cells].map((cell) => cell.textContent).join(" ")).toLowerCase();
    row.hidden = !words.every((word) => text.includes(word));
  }
  const left = rows.filter((row) => !row.hidden).length;
  status.textContent = tidy(wanted) && `${left} of ${rows.length} rows`;
}

// Rows in the order that is shown, without those that are filtered out.
function asTsv(table) {
  const heads = [...table.tHead.rows[0].cells];
  const lines = [heads.flatMap((head) => {
    const title = tidy(head.textContent);
    return head.hasAttribute("data-spread") ? [title, `${title} sd`, `${title} n`] : [title];
  })];
  for (const row of table.tBodies[0].rows) {
    if (row.hidden) continue;
    lines.push(heads.flatMap((head, column) => {
      const cell = row.cells[column];
      const value = tidy(plain(cell));
      return head.hasAttribute("data-spread") ? [value, cell.dataset.sd ?? "", cell.dataset.n ?? ""] : [value];
    }));
  }
  return lines.map((line) => line.join("\t") + "\n").join("");
}

function download(table) {
  const file = new Blob([asTsv(table)], { type: "text/tab-separated-values" });
  const link = made("a", { href: URL.createObjectURL(file), download: `${table.dataset.name}.tsv` });
  link.click();
  URL.revokeObjectURL(link.href);
}

for (const table of document.querySelectorAll("table")) {
  const title = table.parentElement.getAttribute("aria-label");
  [...table.tHead.rows[0].cells].forEach((head, column) => {
    const button = made("button", { type: "button" });
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => sort(head, column));
  });
  const button = made("button", { type: "button", className: "download", textContent: "Download TSV" });
  button.setAttribute("aria-label", `Download TSV: ${title}`);
  button.addEventListener("click", () => download(table));
  table.parentElement.after(button);
  if (table.tBodies[0].rows.length >= LONG) {
    const box = made("input", { type: "search", autocomplete: "off", placeholder: "Filter rows" });
    box.setAttribute("aria-label", `Filter rows: ${title}`);
    const status = made("span", { role: "status" });
    const tools = made("div", { className: "tools" });
    tools.append(box, status);
    box.addEventListener("input", () => filter(table, box.value, status));
    table.parentElement.before(tools);
  }
}

for (const choice of document.querySelectorAll(".switch")) {
  const show = () => choice.querySelectorAll("input[name=protocol]").forEach((input, index) => {
    choice.querySelectorAll(".choice")[index].hidden = !input.checked;
  });
  choice.addEventListener("change", show);
  choice.querySelector("fieldset").hidden = false;
  show();
}

// Paper has nothing to click on: what is folded away is printed, and folded again afterwards.
let opened = [];
addEventListener("beforeprint", () => {
  opened = [...document.querySelectorAll("details.fold:not([open])")];
  for (const details of opened) details.open = true;
});
addEventListener("afterprint", () => {
  for (const details of opened) details.open = false;
});
