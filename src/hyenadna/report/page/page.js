// Tables that sort, filter and download, a choice of protocols, and one benchmark open at a time;
// without this all is shown, folded where it is long.
"use strict";

const LONG = 8; // rows, or benchmarks, from which on there is a box to filter them
const WIDE = 5; // columns from which on each can be hidden
const PRINTED = 24; // benchmarks; of more, paper has the one that is open

const made = (name, properties = {}) => Object.assign(document.createElement(name), properties);
// What a cell says without its small print.
const shown = (cell) => [...cell.childNodes].filter((node) => node.localName !== "small").map((node) => node.textContent).join("").trim();
const plain = (cell) => cell.dataset.value ?? (shown(cell) === "–" ? "" : shown(cell));
// One line, with a hyphen where the page has one that does not break.
const tidy = (text) => text.replace(/\s+/g, " ").replaceAll("\u2011", "-").trim();
const holdsWords = (text, wanted) => tidy(wanted).toLowerCase().split(" ").every((word) => tidy(text).toLowerCase().includes(word));

function button(text, label, whenClicked) {
  const of = made("button", { type: "button", textContent: text });
  of.setAttribute("aria-label", label);
  of.addEventListener("click", whenClicked);
  return of;
}

function searchBox(placeholder, label) {
  const box = made("input", { type: "search", autocomplete: "off", placeholder });
  box.setAttribute("aria-label", label);
  return box;
}

const status = () => {
  const of = made("span");
  of.setAttribute("role", "status");
  return of;
};

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

// Hide what lacks a word, and say how many are left.
function filter(items, wanted, noun, said) {
  for (const item of items) {
    const words = [...(item.cells ?? item.querySelectorAll(":scope > summary > *"))].map((part) => part.textContent);
    item.hidden = !holdsWords(words.join(" "), wanted);
  }
  const left = items.filter((item) => !item.hidden).length;
  said.textContent = tidy(wanted) && `${left} of ${items.length} ${noun}`;
}

// What stands beside the numbers of a column in a download.
const extras = (head) => [
  ...(head.hasAttribute("data-spread") ? ["sd", "n"] : []),
  ...(head.hasAttribute("data-interval") ? ["low", "high"] : []),
];

// Rows in the order that is shown, without what is filtered out or hidden.
function asTsv(table) {
  const heads = [...table.tHead.rows[0].cells].filter((head) => !head.hidden);
  const lines = [heads.flatMap((head) => {
    const title = tidy(head.textContent);
    return [title, ...extras(head).map((name) => `${title} ${name}`)];
  })];
  for (const row of table.tBodies[0].rows) {
    if (row.hidden) continue;
    lines.push(heads.flatMap((head) => {
      const cell = row.cells[head.cellIndex];
      return [tidy(plain(cell)), ...extras(head).map((name) => cell.dataset[name] ?? "")];
    }));
  }
  return lines.map((line) => line.join("\t") + "\n").join("");
}

function save(content, name, type) {
  const link = made("a", { href: URL.createObjectURL(new Blob([content], { type })), download: name });
  link.click();
  URL.revokeObjectURL(link.href);
}

async function copy(text, said) {
  try {
    await navigator.clipboard.writeText(text);
    said.textContent = "Copied";
  } catch {
    said.textContent = "The browser did not allow it";
  }
  setTimeout(() => { said.textContent = ""; }, 3000);
}

// A box for each column but the first, which names the rows.
function columnChoice(table) {
  const choice = made("fieldset", { className: "columns" });
  choice.append(made("legend", { textContent: "Columns shown" }));
  for (const head of [...table.tHead.rows[0].cells].slice(1)) {
    const box = made("input", { type: "checkbox", checked: true, autocomplete: "off" });
    box.addEventListener("change", () => {
      for (const row of table.rows) row.cells[head.cellIndex].hidden = !box.checked;
    });
    const label = made("label");
    label.append(box, ` ${tidy(head.textContent)}`);
    choice.append(label);
  }
  return choice;
}

function columnsButton(table, title) {
  const open = button("Columns", `Columns: ${title}`, () => {
    table.columnChoice ??= columnChoice(table);
    const isOpen = open.getAttribute("aria-expanded") === "true";
    open.setAttribute("aria-expanded", String(!isOpen));
    if (isOpen) table.columnChoice.remove();
    else open.parentElement.after(table.columnChoice);
  });
  open.setAttribute("aria-expanded", "false");
  return open;
}

// Say that there is more to the right, for as long as there is.
function hintSideways(scroll, hint) {
  const look = () => {
    const more = scroll.scrollLeft + scroll.clientWidth < scroll.scrollWidth - 2;
    scroll.classList.toggle("beyond", more);
    hint.hidden = !more;
  };
  scroll.addEventListener("scroll", look, { passive: true });
  const watch = new ResizeObserver(look);
  watch.observe(scroll);
  watch.observe(scroll.firstElementChild);
}

// From each row, whose numbers share their files, to where these are listed.
function linkToFiles(table) {
  for (const head of table.querySelectorAll("th[data-files]")) {
    const link = made("a", { href: `#${head.dataset.files}`, textContent: "files" });
    link.setAttribute("aria-label", `Files behind ${shown(head)}`);
    const small = made("small", { className: "behind" });
    small.append(link);
    head.append(small);
  }
}

function equip(table) {
  const scroll = table.parentElement;
  const title = scroll.getAttribute("aria-label");
  for (const head of table.tHead.rows[0].cells) {
    const turn = made("button", { type: "button" });
    turn.append(...head.childNodes);
    head.append(turn);
    turn.addEventListener("click", () => sort(head, head.cellIndex));
  }
  linkToFiles(table);
  const tools = made("div", { className: "tools" });
  if (table.tBodies[0].rows.length >= LONG) {
    const [box, said] = [searchBox("Filter rows", `Filter rows: ${title}`), status()];
    box.addEventListener("input", () => filter([...table.tBodies[0].rows], box.value, "rows", said));
    tools.append(box, said);
  }
  const hint = made("span", { className: "sideways", textContent: "Scroll sideways for more →", hidden: true });
  hint.setAttribute("aria-hidden", "true"); // those who cannot see it meet every column anyway
  tools.append(hint);
  scroll.before(tools);
  hintSideways(scroll, hint);
  const actions = made("div", { className: "actions" });
  const said = status();
  actions.append(said);
  if (table.tHead.rows[0].cells.length >= WIDE) {
    (table.tBodies[0].rows.length >= LONG ? tools : actions).append(columnsButton(table, title));
  }
  actions.append(
    button("Copy", `Copy: ${title}`, () => copy(asTsv(table), said)),
    button("Download TSV", `Download TSV: ${title}`, () => save(asTsv(table), `${table.dataset.name}.tsv`, "text/tab-separated-values")),
  );
  scroll.after(actions);
}

function equipCommand(line) {
  const said = status();
  const actions = made("div", { className: "actions" });
  actions.append(said, button("Copy", "Copy this command", () => copy(line.textContent, said)));
  line.after(actions);
}

// Of a long page what is folded away is packed; other scripts are told of what comes to light.
function unfold(folded) {
  const held = made("template", { innerHTML: unpack(folded.firstElementChild.textContent) });
  folded.replaceWith(held.content);
  document.dispatchEvent(new Event("unfold"));
}
const foldedIn = (details) => details.querySelectorAll(":scope > .folded");

// What may still be packed, where the text of `mark` stands.
function broughtToLight(find, mark) {
  if (find()) return find();
  const holder = [...document.querySelectorAll(".folded")].find((folded) => unpack(folded.firstElementChild.textContent).includes(mark));
  if (holder) unfold(holder);
  return find();
}
const partNamed = (id) => id && broughtToLight(() => document.getElementById(id), ` id="${id}"`);

// What is folded away is equipped once it is opened: there may be hundreds of tables.
const equipped = new WeakSet();
function equipWithin(part) {
  for (const of of part.querySelectorAll("table, .task pre")) {
    if (equipped.has(of) || of.closest("details:not([open])")) continue;
    equipped.add(of);
    (of.localName === "table" ? equip : equipCommand)(of);
  }
}
equipWithin(document);
document.addEventListener("toggle", ({ target }) => {
  if (!target.open) return;
  foldedIn(target).forEach(unfold);
  equipWithin(target);
}, true);

for (const choice of document.querySelectorAll(".switch")) {
  const tables = [...choice.querySelectorAll(".choice")];
  const views = [...choice.querySelectorAll("[data-part=view] input")];
  const fits = (table, input) => table.dataset[input.closest("fieldset").dataset.part] === input.value;
  const chosen = (other) => {
    const inputs = [...choice.querySelectorAll("input[type=radio]:checked")].filter((input) => !views.includes(input));
    return tables.filter((table) => [...inputs, ...other].every((input) => fits(table, input)));
  };
  const show = () => {
    // Not every protocol has every table.
    for (const view of views) view.disabled = chosen([view]).length === 0;
    if (views.find((view) => view.checked)?.disabled) views.find((view) => !view.disabled).checked = true;
    const seen = chosen(views.filter((view) => view.checked));
    for (const table of tables) table.hidden = !seen.includes(table);
  };
  choice.addEventListener("change", show);
  for (const fieldset of choice.querySelectorAll("fieldset")) fieldset.hidden = false;
  show();
}

const benchmarks = [...document.querySelectorAll("details.task")];

// Show the part of the page that a link names, of the benchmarks only the one that it is in.
function show(hash) {
  const part = partNamed(hash.slice(1));
  if (!part) return;
  const own = part.closest(".task");
  if (own) for (const other of benchmarks) other.open = other === own;
  if (own) own.hidden = false;
  const choice = part.closest(".choice[hidden]");
  if (choice) {
    for (const input of choice.closest(".switch").querySelectorAll("input[type=radio]")) {
      input.checked = choice.dataset[input.closest("fieldset").dataset.part] === input.value;
    }
    choice.dispatchEvent(new Event("change", { bubbles: true }));
  }
  for (let of = part; of; of = of.parentElement) {
    if (of.localName !== "details") continue;
    of.open = true;
    foldedIn(of).forEach(unfold); // now, to know how far down the part is
  }
  part.scrollIntoView();
  if (part === own) own.firstElementChild.focus({ preventScroll: true });
}

function visit(hash) {
  if (location.hash === hash) show(hash);
  else location.hash = hash;
}

addEventListener("hashchange", () => show(location.hash));
document.addEventListener("click", (event) => {
  const summary = event.target.closest(".task > summary");
  const link = event.target.closest("a[href^='#']");
  if (summary && !summary.parentElement.open) {
    event.preventDefault();
    visit(`#${summary.parentElement.id}`);
  } else if (link?.hash === location.hash) {
    show(link.hash);
  }
});
if (location.hash) show(location.hash);

if (benchmarks.length >= LONG) {
  const [box, said] = [searchBox("Filter benchmarks", "Filter benchmarks"), status()];
  box.addEventListener("input", () => filter(benchmarks, box.value, "benchmarks", said));
  const tools = made("div", { className: "tools" });
  tools.append(box, said);
  benchmarks[0].before(tools);
}

// A box beside the contents that goes to a benchmark.
if (benchmarks.length) {
  const named = (words) => benchmarks.find((of) => of.dataset.benchmark === words)
    ?? benchmarks.find((of) => holdsWords(of.dataset.benchmark, words));
  const [box, said] = [searchBox("Find a benchmark", "Find a benchmark"), status()];
  const names = made("datalist", { id: "benchmark-names" });
  names.append(...benchmarks.map((of) => made("option", { value: of.dataset.benchmark })));
  box.setAttribute("list", names.id);
  const find = () => {
    const found = tidy(box.value) && named(box.value);
    said.textContent = found || !tidy(box.value) ? "" : "No such benchmark";
    if (found) visit(`#${found.id}`);
  };
  box.addEventListener("keydown", (event) => { if (event.key === "Enter") find(); });
  // A name that was picked from the list comes at once, one that is being typed does not.
  box.addEventListener("input", (event) => {
    said.textContent = "";
    if (!event.inputType || event.inputType === "insertReplacementText") find();
  });
  const tools = made("div", { className: "tools find" });
  tools.append(box, names, said);
  document.querySelector("nav ol").before(tools);
  addEventListener("keydown", (event) => {
    if (event.key !== "/" || event.ctrlKey || event.metaKey || event.target.matches("input, textarea")) return;
    event.preventDefault();
    box.focus();
  });
}

// Where in the contents a reader is.
const entries = new Map([...document.querySelectorAll("nav a")].map((link) => [link.hash.slice(1), link]));
const inView = new IntersectionObserver((changes) => {
  for (const { target, isIntersecting } of changes) {
    const link = entries.get(target.getAttribute("aria-labelledby") ?? target.id);
    if (isIntersecting) link?.setAttribute("aria-current", "true");
    else link?.removeAttribute("aria-current");
  }
}, { rootMargin: "-30% 0px -69% 0px" });
for (const part of document.querySelectorAll("main > header, main > section")) inView.observe(part);

const back = made("a", { className: "to-top", href: "#answer", textContent: "Back to top", hidden: true });
document.querySelector("main").append(back);
new IntersectionObserver(([top]) => { back.hidden = top.isIntersecting; }).observe(document.querySelector("#answer"));

// Paper has nothing to click on: what is folded away is printed, and folded again afterwards.
let opened = [];
addEventListener("beforeprint", () => {
  opened = [...document.querySelectorAll(".fold:not([open]), .task:not([open])")];
  if (benchmarks.length > PRINTED) opened = opened.filter((of) => !of.closest(".task:not([open])"));
  for (const details of opened) {
    foldedIn(details).forEach(unfold);
    details.open = true;
  }
});
addEventListener("afterprint", () => {
  for (const details of opened) details.open = false;
});
