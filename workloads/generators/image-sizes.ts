import type { TextParameter } from '../workload.ts';

export interface ImageSize {
  readonly width: number;
  readonly height: number;
}

/** What a theme with grid layouts and a retina hero asks for; the first five are the article's own. */
export const FIFTEEN_SIZES =
  '400x300+800x600+1200x900+1920x1080+3840x2160+150x150+300x225+768x576+1024x768+1536x1152+2048x1536+600x400+1000x750+1600x1200+2560x1440';

const PIXELS_MAX = 65536;

export function imageSizesParameter(value: string, about: string): TextParameter {
  return {
    kind: 'text',
    default: value,
    unit: 'pixels',
    about,
    problem: (text) =>
      text.split('+').every((size) => parseSize(size) !== undefined)
        ? undefined
        : `sizes as 400x300+800x600, each side from 1 to ${PIXELS_MAX}`,
  };
}

/** The sizes of a value that the parameter has accepted. */
export function imageSizes(text: string): readonly ImageSize[] {
  return text.split('+').map((size) => parseSize(size)!);
}

function parseSize(text: string): ImageSize | undefined {
  const match = /^(\d{1,5})x(\d{1,5})$/.exec(text);
  const width = Number(match?.[1]);
  const height = Number(match?.[2]);
  const fits = (side: number) => side >= 1 && side <= PIXELS_MAX;
  return fits(width) && fits(height) ? { width, height } : undefined;
}
