// The results of a search, each with the lines in which its words stand, from texts that came with the page.
// Sphinx's own display would fetch every page found, which a folder opened without a server forbids.
(() => {
  const LENGTH = 260;  // of an excerpt, in characters

  Search.query = (query) => {
    const [, words, excluded, , objects] = Search._parseQuery(query);
    localStorage.removeItem("sphinx_highlight_terms");  // marking them in a page would tear its formulas
    const found = Search._performSearch(query, words, excluded, new Set(), objects).map(
      ([page, title, anchor, kind, score]) => ({page, title: name(title), anchor, kind, score}));
    for (const result of found) {
      result.hits = result.kind ? [] : places(Search.texts[result.page] ?? "", words);
      // A chapter explains what a list only names; a word that comes often is what the page is about.
      if (result.page.startsWith("chapters/")) result.score += 3;
      if (!result.anchor) result.score += 10 * result.hits.length / (result.hits.length + 10);
    }
    found.sort((a, b) => b.score - a.score || a.title.localeCompare(b.title));
    const seen = new Set();
    const shown = found.filter(({page, title}) => !seen.has(page + title) && seen.add(page + title));
    Search.output.append(...shown.map(item));
    Search.stopPulse();
    Search.title.innerText = "Search results";
    Search.status.innerText = shown.length
      ? `${shown.length} ${shown.length === 1 ? "place" : "places"} found.`
      : "No page has all of these words.";
  };

  // "3. Max margin > 3. Max margin" is the chapter itself.
  function name(title) {
    const [page, section] = title.split(" > ");
    return section === undefined || section === page ? page : `${page} › ${section}`;
  }

  // Where the words begin in the text; the search knows them by their stems.
  function places(text, words) {
    const stems = [...words].map((word) => word.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
    if (!stems.length) return [];
    const word = new RegExp(`(?<![\\p{L}\\p{N}_])(?:${stems.join("|")})[\\p{L}\\p{N}_]*`, "giu");
    return [...text.matchAll(word)].map((match) => ({start: match.index, end: match.index + match[0].length}));
  }

  function item({page, title, anchor, kind, hits}) {
    const entry = document.createElement("li"), link = document.createElement("a");
    link.href = page + DOCUMENTATION_OPTIONS.LINK_SUFFIX + anchor;
    link.textContent = title;
    entry.append(link);
    if (kind) entry.append(` (${kind})`);
    if (hits.length) entry.append(excerpt(Search.texts[page], hits));
    return entry;
  }

  // The stretch of the text with the most hits, cut at words.
  function excerpt(text, hits) {
    const within = (first) => hits.filter(({start, end}) => start >= first.start && end < first.start + LENGTH / 2);
    const best = hits.reduce((a, b) => within(b).length > within(a).length ? b : a);
    const from = best.start < LENGTH / 3 ? 0 : text.indexOf(" ", best.start - LENGTH / 3) + 1;
    const to = from + LENGTH < text.length ? text.lastIndexOf(" ", from + LENGTH) : text.length;
    const line = document.createElement("p");
    line.className = "context";
    line.append(from ? "… " : "");
    let at = from;
    for (const {start, end} of hits.filter(({start, end}) => start >= from && end <= to)) {
      const mark = document.createElement("mark");
      mark.textContent = text.slice(start, end);
      line.append(text.slice(at, start), mark);
      at = end;
    }
    line.append(text.slice(at, to), to < text.length ? " …" : "");
    return line;
  }
})();
