interface Shade {
  readonly light: string;
  readonly dark: string;
}

/** The colour of the theme that is on now. */
function shade({ light, dark }: Shade): string {
  return isDark() ? dark : light;
}

function styleValue(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

function isDark(): boolean {
  const chosen = document.documentElement.dataset['theme'];
  return chosen ? chosen === 'dark' : matchMedia('(prefers-color-scheme: dark)').matches;
}

/** Fits A4 and Letter between a browser's margins. */
const PAPER_WIDTH = 700;

/** Calls `redraw` whenever the colours change; paper is light, and as wide as it is. */
function onThemeChange(redraw: () => void): void {
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', redraw);
  document.addEventListener('themechange', redraw);
  let before: string | undefined;
  addEventListener('beforeprint', () => {
    before = document.documentElement.dataset['theme'];
    document.documentElement.dataset['theme'] = 'light';
    document.body.style.width = `${PAPER_WIDTH}px`;
    redraw();
  });
  addEventListener('afterprint', () => {
    if (before === undefined) delete document.documentElement.dataset['theme'];
    else document.documentElement.dataset['theme'] = before;
    document.body.style.width = '';
    redraw();
  });
}

function toggleTheme(): void {
  document.documentElement.dataset['theme'] = isDark() ? 'light' : 'dark';
  document.dispatchEvent(new Event('themechange'));
}
