/** A table with more rows is cut here, between two rows. */
const TABLE_HEIGHT = 420;

/**
 * A table that may be larger than its place. Where a part of it is hidden, its edge is shaded and a line below says
 * what is missing; a keyboard scrolls it like the mouse.
 */
function scrollTable(into: HTMLElement, table: HTMLTableElement, name: string, height = Infinity): void {
  const box = element('div', { class: 'scroll' }, table);
  const hint = element('p', { class: 'dim more', 'aria-hidden': 'true' });
  into.append(box, hint);
  const shown = wholeRows(table, height);
  if (shown < table.offsetHeight) box.style.maxHeight = `${shown + box.offsetHeight - box.clientHeight}px`;
  if (box.scrollWidth <= box.clientWidth && box.scrollHeight <= box.clientHeight) {
    hint.remove();
    return;
  }
  box.tabIndex = 0;
  box.setAttribute('role', 'region');
  box.setAttribute('aria-label', `${name}, a table that scrolls`);
  // The page has keys of its own; those that scroll are the table's.
  box.addEventListener('keydown', (event) => event.key.startsWith('Arrow') && event.stopPropagation());
  const update = () => showWhatIsHidden(box, table, hint);
  box.addEventListener('scroll', update, { passive: true });
  update();
}

/** The height of the rows that fit. */
function wholeRows(table: HTMLTableElement, height: number): number {
  let fits = 0;
  for (const row of table.rows) {
    const bottom = row.offsetTop + row.offsetHeight;
    if (bottom > height) break;
    fits = bottom;
  }
  return fits;
}

function showWhatIsHidden(box: HTMLElement, table: HTMLTableElement, hint: HTMLElement): void {
  const bottom = box.scrollTop + box.clientHeight;
  const below = [...table.rows].filter((row) => row.offsetTop + row.offsetHeight > bottom + 1).length;
  const right = box.scrollLeft + box.clientWidth < box.scrollWidth - 1;
  box.classList.toggle('more-below', below > 0);
  box.classList.toggle('more-right', right);
  hint.textContent =
    [below > 0 ? `↓ ${countText(below)} more ${below === 1 ? 'row' : 'rows'}` : '', right ? '→ more columns' : '']
      .filter((text) => text !== '')
      .join(' · ') || '\u00a0';
}
