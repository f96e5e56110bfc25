/**
 * Flame graphs whose frames are buttons with their place (`data-l`) and width (`data-w`) as shares, callers before what they call: a click enlarges one. Each
 * graph is one stop of the Tab key; arrows move in it.
 */
function enlargeFlames(into: ParentNode): void {
  for (const graph of into.querySelectorAll<HTMLElement>('.flame')) {
    const said = graph.parentElement!.querySelector('.flame-said');
    const stopAt = (chosen: HTMLElement) => {
      for (const frame of graph.children) frame.setAttribute('tabindex', frame === chosen ? '0' : '-1');
    };
    graph.addEventListener('keydown', (event) => {
      const next = flameNeighbour(event.target as HTMLElement, event.key);
      if (next === undefined) return;
      event.preventDefault();
      if (!next) return;
      stopAt(next);
      next.focus();
      if (said) said.textContent = next.title;
    });
    graph.addEventListener('click', (event) => {
      const chosen = (event.target as HTMLElement).closest('button');
      if (!chosen) return;
      stopAt(chosen);
      const left = Number(chosen.dataset['l']);
      const width = Number(chosen.dataset['w']);
      if (said) said.textContent = chosen.title;
      for (const frame of graph.children as HTMLCollectionOf<HTMLElement>) {
        const at = (Number(frame.dataset['l']) - left) / width;
        const from = Math.max(0, at);
        const to = Math.min(1, at + Number(frame.dataset['w']) / width);
        frame.hidden = to - from <= 1e-6;
        frame.style.left = `${100 * from}%`;
        frame.style.width = `${100 * (to - from)}%`;
      }
    });
  }
}

/** Where an arrow leads from a frame: its caller, the first that it calls, those beside it; null where there is none, undefined for another key. */
function flameNeighbour(frame: HTMLElement, key: string): HTMLElement | null | undefined {
  const level = (of: Element) => Number.parseInt((of as HTMLElement).style.top, 10);
  const search = (step: 'previousElementSibling' | 'nextElementSibling', isOne: (of: Element) => boolean) => {
    let at = frame[step];
    while (at && ((at as HTMLElement).hidden || !isOne(at))) at = at[step];
    return at as HTMLElement | null;
  };
  const own = level(frame);
  if (key === 'ArrowUp') return search('previousElementSibling', (of) => level(of) < own);
  if (key === 'ArrowLeft') return search('previousElementSibling', (of) => level(of) === own);
  if (key === 'ArrowRight') return search('nextElementSibling', (of) => level(of) === own);
  if (key !== 'ArrowDown') return undefined;
  const below = search('nextElementSibling', () => true);
  return below && level(below) > own ? below : null;
}
