// What a screen reader would read wrongly, and what a keyboard would not reach.
document.addEventListener("DOMContentLoaded", () => {
  // The button shows the word "Search": that is its name; the key hint is not part of it.
  for (const button of document.querySelectorAll(".search-button-field")) {
    button.removeAttribute("aria-label");
    button.querySelector(".search-button__kbd-shortcut")?.setAttribute("aria-hidden", "true");
  }
  // The logo stands outside every landmark.
  for (const item of document.querySelectorAll(".sidebar-primary-item")) {
    if (item.querySelector(".navbar-brand")) {
      item.setAttribute("role", "navigation");
      item.setAttribute("aria-label", "Home");
    }
  }
  // What scrolls inside itself must be reachable by keyboard, and what does not is no stop on the way.
  // Formulas are drawn, solutions opened and phones turned after this: each changes the article's size.
  const article = document.querySelector("article.bd-article");
  const boxes = "mjx-container, .math, table, .pst-scrollable-table-container, pre";
  if (article) new ResizeObserver(() => {
    for (const box of article.querySelectorAll(boxes)) {
      const scrolls = box.scrollWidth > box.clientWidth && getComputedStyle(box).overflowX === "auto";
      if (scrolls) box.tabIndex = 0;
      else if (box.tabIndex === 0) box.removeAttribute("tabindex");
    }
  }).observe(article);
});
