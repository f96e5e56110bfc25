/** Flame graphs whose frames are buttons with their place (`data-l`) and width (`data-w`) as shares: a click enlarges one. */
function enlargeFlames(into: ParentNode): void {
  for (const graph of into.querySelectorAll<HTMLElement>('.flame')) {
    const said = graph.parentElement!.querySelector('.flame-said');
    graph.addEventListener('click', (event) => {
      const chosen = (event.target as HTMLElement).closest('button');
      if (!chosen) return;
      const left = Number(chosen.dataset['l']);
      const width = Number(chosen.dataset['w']);
      if (said) said.textContent = chosen.title;
      for (const frame of graph.children as HTMLCollectionOf<HTMLElement>) {
        const at = (Number(frame.dataset['l']) - left) / width;
        const from = Math.max(0, at);
        const to = Math.min(1, at + Number(frame.dataset['w']) / width);
        frame.hidden = to - from <= 1e-9;
        frame.style.left = `${100 * from}%`;
        frame.style.width = `${100 * (to - from)}%`;
      }
    });
  }
}
