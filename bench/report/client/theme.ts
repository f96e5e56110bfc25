/** Hues that are told apart in dark and light and with the common kinds of colour blindness (Okabe and Ito). */
const RUN_COLOURS = ['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#e69f00', '#56b4e9', '#8c6bb1', '#7f7f7f'];
const CLASS_COLOURS: Readonly<Record<string, string>> = {
  requested: '#0072b2',
  slack: '#56b4e9',
  metadata: '#8c6bb1',
  cached: '#009e73',
  pinned: '#d55e00',
  returnable: '#e69f00',
};

function runColour(index: number): string {
  return RUN_COLOURS[index % RUN_COLOURS.length]!;
}

function styleValue(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

function isDark(): boolean {
  const chosen = document.documentElement.dataset['theme'];
  return chosen ? chosen === 'dark' : matchMedia('(prefers-color-scheme: dark)').matches;
}

/** Calls `redraw` whenever the colours change. */
function onThemeChange(redraw: () => void): void {
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', redraw);
  document.addEventListener('themechange', redraw);
}

function toggleTheme(): void {
  document.documentElement.dataset['theme'] = isDark() ? 'light' : 'dark';
  document.dispatchEvent(new Event('themechange'));
}
