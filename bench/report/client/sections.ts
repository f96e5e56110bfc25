/** A titled panel; `intro` says in a line what is to be seen. */
function panel(title: string, into: HTMLElement, id = '', intro = ''): HTMLElement {
  const place = element('div', { class: 'panel', ...(id && { id }) });
  const heading = element('h2', {}, title);
  into.append(element('section', {}, heading, ...(intro ? [element('p', { class: 'dim' }, intro)] : []), place));
  return place;
}

function emptyNote(text: string): HTMLElement {
  return element('p', { class: 'dim empty' }, text);
}

function swatch(colour: string): HTMLElement {
  return element('span', { class: 'swatch', style: `background:${colour}`, 'aria-hidden': 'true' });
}

function verdictPanel(verdict: VerdictData, explanation: readonly string[], why: readonly string[] = []): HTMLElement {
  // An explanation begins with its own headline; what the run says follows behind it.
  const [headline, ...rest] = explanation.length > 0 ? explanation : [verdict.headline];
  return element(
    'div',
    { class: `panel verdict ${verdict.mark ?? ''}`.trim(), id: 'verdict' },
    element('p', { class: 'headline' }, ...withWholes(headline!)),
    ...rest.map(sentence),
    ...folded('Why, with the figures', why),
    ...verdict.sentences.map(sentence),
    ...(verdict.points ?? []).map(({ about, text }) =>
      element('p', { class: 'point' }, element('b', {}, `${about}: `), text),
    ),
  );
}

/** A line of a verdict; what can be pasted as it stands is set apart. */
function sentence(line: string): HTMLElement {
  const [, before, command] = /^(.*: )(sim explain .*|[A-Z_]+=\S+)$/.exec(line) ?? [];
  return command
    ? element('p', {}, before!, element('code', {}, ...wholeWords(command)))
    : element('p', {}, ...withWholes(line));
}

/** What is to be pasted is broken between its words alone. */
const wholeWords = (command: string): (string | HTMLElement)[] =>
  command.split(/( )/).map((part) => (part === ' ' ? part : element('span', { class: 'word' }, part)));

/** An option is not broken after its dashes, nor a figure before its unit. */
const withWholes = (line: string): (string | HTMLElement)[] =>
  line
    .split(/(--[a-z-]+(?: #?\w+)?|\S*\d (?:%|[KMGT]i?B|B|ns|µs|ms|s)(?!\w)\S*)/)
    .map((part, i) => (i % 2 === 1 ? element('span', { class: 'whole' }, part) : part));

/** Lines that open on demand, and on paper. */
function folded(title: string, lines: readonly string[]): HTMLElement[] {
  if (lines.length === 0) return [];
  const details = element('details', {}, element('summary', {}, title), ...lines.map((line) => element('p', {}, line)));
  addEventListener('beforeprint', () => details.setAttribute('open', ''));
  return [details];
}

/** A bar whose parts add up to its length, `share` of the whole width. */
function stackedBar(classes: readonly ClassData[], values: readonly number[], share: number): HTMLElement {
  const total = values.reduce((sum, v) => sum + v, 0);
  const label = classes
    .map((c, i) => ({ c, v: values[i]! }))
    .filter(({ v }) => v > 0)
    .map(({ c, v }) => `${c.name} ${bytesText(v)}`)
    .join(', ');
  const bar = element('span', {
    class: 'bar-stack',
    style: `width:${(share * 100).toFixed(2)}%`,
    role: 'img',
    'aria-label': label,
  });
  classes.forEach((c, i) => {
    if (values[i]! <= 0) return;
    const title = `${c.name}: ${bytesText(values[i]!)} (${percentText(values[i]! / total)})`;
    bar.append(element('span', { style: `flex-grow:${values[i]! / total};background:${shade(c)}`, title }));
  });
  return bar;
}

/** What the resident bytes are made of, as a bar and as words: the key to the colours of the page. */
function compositionKey(classes: readonly ClassData[], values: readonly number[]): HTMLElement {
  const total = values.reduce((sum, v) => sum + v, 0);
  const list = element('ul', { class: 'composition' });
  classes.forEach((c, i) => {
    if (c.key === 'withinSlabs' && values[i] === 0) return;
    list.append(compositionRow(c, values[i]!, total > 0 ? percentText(values[i]! / total) : '–'));
  });
  return list;
}

function compositionRow(part: Shade & NamedPart, value: number, note: string): HTMLElement {
  return element(
    'li',
    value === 0 ? { class: 'none' } : {},
    swatch(shade(part)),
    element(
      'span',
      { class: 'what' },
      element('b', {}, `${part.name}:`),
      element('span', { class: 'dim' }, ` ${part.about}`),
    ),
    element('span', { class: 'number' }, bytesText(value)),
    element('span', { class: 'number dim' }, note),
  );
}

interface NamedPart {
  readonly name: string;
  readonly about: string;
}

/** Buttons of which one is pressed. */
function choice(label: string, names: readonly string[], chosen: number, choose: (index: number) => void): HTMLElement {
  const group = element('div', { class: 'bar', role: 'group', 'aria-label': label });
  names.forEach((name, i) => {
    const button = element('button', { type: 'button' }, name);
    button.addEventListener('click', () => choose(i));
    group.append(button);
  });
  press(group, chosen);
  return group;
}

function press(group: HTMLElement, chosen: number): void {
  [...group.querySelectorAll('button')].forEach((button, i) => {
    button.setAttribute('aria-pressed', String(i === chosen));
  });
}
