// Three labels of the theme that a screen reader would read wrongly or not at all.
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
  // What scrolls inside itself must be reachable by keyboard.
  for (const box of document.querySelectorAll("div.math, .pst-scrollable-table-container, div.highlight pre, .output pre")) {
    if (box.scrollWidth > box.clientWidth) box.tabIndex = 0;
  }
});
