/*
 * Names, ids and justifications come from callers, and may hold characters that draw nothing, reorder their neighbours
 * or end a line. People read them in audit lines, logs, error texts and the dashboard: there they are escaped, so that
 * what a reader sees is what is there.
 */

/**
 * By Unicode's properties: what is ignorable by default (zero-width characters, fillers, variation selectors, tags),
 * controls, format characters (among them those of direction), lone surrogates, private use, noncharacters, and every
 * separator but the space. Three characters are blank without any property that says so.
 */
const invisible =
  /[\p{Default_Ignorable_Code_Point}\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Noncharacter_Code_Point}]|(?! )\p{Z}|\u2800|\u{16fe4}|\u{1d159}/gu;

/** Most texts need no look at Unicode's properties. */
const notPlain = /[^\u0020-\u007e]/;

/**
 * Writes each character that can't be seen as `\uXXXX`, a code unit each. JSON stays JSON of the same value: its
 * white space must be spaces.
 */
export function escapeInvisible(text: string): string {
  return notPlain.test(text) ? text.replace(invisible, escaped) : text;
}

/**
 * Line breaks and tabs; and behind a letter, a mark or an emoji the joiners and emoji's variation selectors, which
 * change how that one is drawn.
 */
const textual = /\r\n|[\n\t]|(?<=[\p{L}\p{M}\p{Emoji}])(?:\p{Join_Control}|\ufe0e|\ufe0f)/u.source;
const textualOrInvisible = new RegExp(`(?<textual>${textual})|${invisible.source}`, 'gu');

/** The same for text of several lines, such as a message or a payload: what belongs to such text stays. */
export function escapeInText(text: string): string {
  if (!notPlain.test(text)) return text;
  return text.replace(textualOrInvisible, (found, kept?: string) => kept ?? escaped(found));
}

/** Whether a reader sees anything of a text. Marks that combine need something to combine with. */
export function hasVisibleText(text: string): boolean {
  return /[\p{L}\p{N}\p{P}\p{S}]/u.test(text.normalize('NFKC').replace(invisible, ''));
}

const escaped = (character: string): string =>
  Array.from({ length: character.length }, (_, n) => `\\u${hex(character.charCodeAt(n))}`).join('');

const hex = (unit: number): string => unit.toString(16).padStart(4, '0');
