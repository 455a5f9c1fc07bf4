// The claims page: search, filters and sorting. And on every page, what an address points to is shown.
document.addEventListener("DOMContentLoaded", () => {
  const form = document.querySelector("[data-claims-filter]");
  if (form) setUpFilter(form, [...document.querySelectorAll("table.claims")]);
});
window.addEventListener("load", reveal); // after the theme has folded the solutions
window.addEventListener("hashchange", reveal);

function setUpFilter(form, tables) {
  const rows = tables.flatMap((table) => [...table.tBodies[0].rows]);
  const { text, chapter, without } = form.elements;
  const apply = () => {
    const words = text.value.toLowerCase().split(/\s+/).filter(Boolean);
    for (const row of rows) {
      const found = row.textContent.toLowerCase();
      row.hidden = !(words.every((word) => found.includes(word))
        && (!chapter.value || row.dataset.chapter === chapter.value)
        && (!without.checked || row.dataset.controls === "0"));
    }
    for (const table of tables) {
      table.closest("section").hidden = [...table.tBodies[0].rows].every((row) => row.hidden);
    }
    form.querySelector("output").textContent =
      `${rows.filter((row) => !row.hidden).length} of ${rows.length} claims shown`;
  };
  form.addEventListener("input", apply);
  form.addEventListener("change", apply); // what a choice made by other means than hand fires alone
  form.addEventListener("submit", (event) => event.preventDefault());
  for (const table of tables) makeSortable(table);
  form.hidden = false;
  apply();
}

function makeSortable(table) {
  for (const [column, head] of [...table.tHead.rows[0].cells].entries()) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = head.textContent;
    head.replaceChildren(button);
    button.addEventListener("click", () => {
      const descending = head.getAttribute("aria-sort") === "ascending";
      for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", descending ? "descending" : "ascending");
      const rows = [...table.tBodies[0].rows].sort((a, b) => compare(a.cells[column], b.cells[column]));
      table.tBodies[0].append(...(descending ? rows.reverse() : rows));
    });
  }
}

// Numbers by size, everything else by its letters; the first column by the name of the claim.
function compare(a, b) {
  const [first, second] = [a, b].map((cell) => cell.dataset.value ?? cell.parentElement.dataset.claim);
  const difference = number(first) - number(second);
  return Number.isNaN(difference) ? first.localeCompare(second) : difference;
}

function number(value) {
  return { inf: Infinity, "-inf": -Infinity }[value] ?? Number(value);
}

// Open the folded cells and solutions around the target of the address, and undo a filter that hides it.
function reveal() {
  const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (!target) return;
  const form = document.querySelector("[data-claims-filter]");
  if (form && target.closest("[hidden]")) {
    form.reset();
    form.dispatchEvent(new Event("input"));
  }
  for (let box = target.parentElement; box; box = box.parentElement) {
    if (box.tagName === "DETAILS") box.open = true;
    if (box.classList.contains("toggle-hidden")) box.querySelector(".toggle-button")?.click();
  }
  target.scrollIntoView();
}
