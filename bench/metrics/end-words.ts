/** What metrics call the end of a run. */
export const AT_END = 'at the end';
/** What that is of a workload that goes on behind it. */
export const WHERE_JUDGED = 'where it is judged';

/** A metric's words; `isJudged`: of a run that ends where it is judged. */
export const endWords = (text: string, isJudged: boolean): string =>
  isJudged ? text.replace(AT_END, WHERE_JUDGED) : text;
