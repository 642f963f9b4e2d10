/** A kind of text that differs from run to run. In a message's shape, `<name>` replaces the text. */
interface Variable {
  readonly name: string;
  readonly pattern: RegExp;
}

/** Matches a name such as Mira, Mira Novak or O’Brien. */
const NAME = String.raw`\p{Lu}(?:['’]\p{Lu})?[\p{Ll}'’-]{1,40}(?: \p{Lu}[\p{L}'’-]{0,40}){0,5}`;

/**
 * The order matters, because an address contains numbers, and a number may be part of a UUID. The kinds are
 * those that Sentry replaces in messages (`sentry/grouping/parameterization.py`), plus paths, alphanumeric
 * ids, and amounts of money.
 *
 * All repetitions are bounded, so that the patterns take linear time.
 */
const variables: readonly Variable[] = [
  {
    name: 'quoted',
    pattern:
      /"[^"\n]{0,500}"|(?<!\w)'(?:[^'\n]|(?<=\w)'(?=\w)){1,500}'(?!\w)|`[^`\n]{0,500}`|“[^”\n]{0,500}”|«[^»\n]{0,500}»/g,
  },
  { name: 'email', pattern: /[\w.+%-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}/g },
  { name: 'url', pattern: /\b[a-z][a-z\d+.-]{1,20}:\/\/[^\s"'<>)]{1,2000}/gi },
  { name: 'uuid', pattern: /\b[\da-f]{8}-[\da-f]{4}-[\da-f]{4}-[\da-f]{4}-[\da-f]{12}\b/gi },
  {
    name: 'time',
    pattern:
      /\b\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:[.,]\d{1,9})?)?(?:Z|[+-]\d\d:?\d\d)?)?|\b\d{1,2}:\d\d(?::\d\d(?:\.\d{1,9})?)?\b/g,
  },
  {
    name: 'address',
    pattern:
      /\[[\da-f:]{2,45}\](?::\d{1,5})?|\b\d{1,3}(?:\.\d{1,3}){3}(?::\d{1,5})?\b|\b(?:[\da-f]{0,4}:){3,7}[\da-f]{1,4}\b/gi,
  },
  {
    name: 'host',
    // Matches only lower case, to keep the class in java.lang.IllegalStateException, and requires a letter,
    // to exclude 1.2.3.
    pattern:
      /\b(?=[\d.-]{0,64}[a-z])[a-z\d-]{1,63}(?:(?:\.[a-z\d-]{1,63}){1,8}:\d{1,5}|(?:\.[a-z\d-]{1,63}){2,8})(?![\w.])/g,
  },
  { name: 'path', pattern: /(?:\b[a-z]:)?(?:[\\/][\w.@~+-]{1,255}){2,64}[\\/]?/gi },
  { name: 'hex', pattern: /\b0x[\da-f]{1,64}\b|\b(?=[a-f]{0,63}\d)(?=\d{0,63}[a-f])[\da-f]{8,128}\b/gi },
  // Matches words that contain a digit, including hyphens and underscores, such as order-17, PAY_4711, 3.5s
  // and 12kg.
  {
    name: 'number',
    pattern:
      /[$€£¥]?(?<![\w.])[+-]?\d{1,64}(?:[.,_]\d{1,64}){0,32}(?:%|[a-z]{1,4}\b)?(?![\w-])|[\w-]{0,128}\d[\w-]{0,128}/gi,
  },
  // Capitalised words after lower-case words are mostly names of people, places and products. The words of
  // `Bad Gateway` are not names, so the pattern requires a lower-case word before or after a name.
  {
    name: 'name',
    pattern: new RegExp(
      `(?:(?<=(?<!\\p{L})\\p{Ll}{1,40},? |> )${NAME}|(?<=^\\p{Lu}\\p{Ll}{1,40} )${NAME}(?= \\p{Ll}))(?![\\p{L}\\d_(.:])`,
      'gu',
    ),
  },
];

/** Number of characters of a message that are used. Temporal truncates activity failures to 4 KiB. */
const MAX_MESSAGE = 2_000;

/**
 * Returns the part of a message that is the same in all runs, with ids, numbers, times, addresses, UUIDs,
 * hex, paths, e-mail addresses, names and quoted text replaced by `<kind>`.
 *
 * @example
 * messageShape("Card '4242' of order-17 was declined after 3.5s"); // "Card <quoted> of <number> was declined after <number>"
 */
export function messageShape(message: string): string {
  let shape = message.slice(0, MAX_MESSAGE);
  for (const { name, pattern } of variables) shape = shape.replaceAll(pattern, `<${name}>`);
  return (
    shape
      // A list of values counts as one variable, whatever its length.
      .replaceAll(/(<\w+>)(?:\s*[,;]\s*<\w+>)+/g, '$1, …')
      // `1 item` and `2 items` get the same shape.
      .replaceAll(/(<number> \p{Ll}{3,40})s\b/gu, '$1')
      .replaceAll(/\s+/g, ' ')
      .trim()
  );
}
