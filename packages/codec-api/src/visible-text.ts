/*
 * Names, ids and justifications come from callers, and may contain characters that are invisible, reorder
 * other characters or end a line. Audit lines, logs, error messages and the dashboard escape these characters,
 * so that people see what the text contains.
 */

/**
 * Matches characters by Unicode properties: default ignorable characters (zero-width characters, fillers,
 * variation selectors, tags), control characters, format characters (including text direction), lone
 * surrogates, private-use characters, noncharacters, and every separator except the space. Three more
 * characters are listed by hand, because they are blank although no property marks them.
 */
const invisible =
  /[\p{Default_Ignorable_Code_Point}\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Noncharacter_Code_Point}]|(?! )\p{Z}|\u2800|\u{16fe4}|\u{1d159}/gu;

/**
 * Emoji that consist of several characters, with joiners or tags, but that people see as a single picture, such as
 * a family or a flag. Without the look-ahead, the regular expression would try all sequences at each letter.
 */
const emoji = /(?=\p{ExtPict})(?:\p{RGI_Emoji_ZWJ_Sequence}|\p{RGI_Emoji_Tag_Sequence})/v.source;
const emojiOrInvisible = new RegExp(`(?<kept>${emoji})|${invisible.source}`, 'gv');

/** A quick check: most text does not match, and then needs no check of Unicode properties. */
const notPlain = /[^\u0020-\u007e]/;

/**
 * Returns the text with each UTF-16 code unit of an invisible character as `\uXXXX`, except inside an emoji.
 * If the text is JSON whose only white space is spaces, the value that the JSON represents does not change.
 */
export function escapeInvisible(text: string): string {
  return notPlain.test(text) ? text.replace(emojiOrInvisible, keptOrEscaped) : text;
}

/**
 * Matches line breaks and tabs. After a letter, a mark or an emoji, also matches joiners and the variation
 * selectors of emoji, which change how the preceding character is displayed.
 */
const textual = /\r\n|[\n\t]|(?<=[\p{L}\p{M}\p{Emoji}])(?:\p{Join_Control}|\ufe0e|\ufe0f)/u.source;
const textualOrInvisible = new RegExp(`(?<kept>${emoji}|${textual})|${invisible.source}`, 'gv');

/**
 * Escapes invisible characters like `escapeInvisible`, but keeps line breaks and tabs, for text of several lines, such
 * as a message or a payload.
 */
export function escapeInText(text: string): string {
  if (!notPlain.test(text)) return text;
  return text.replace(textualOrInvisible, keptOrEscaped);
}

/** Returns whether the text has a visible character. Combining marks alone do not count as visible. */
export function hasVisibleText(text: string): boolean {
  return /[\p{L}\p{N}\p{P}\p{S}]/u.test(text.normalize('NFKC').replace(invisible, ''));
}

const keptOrEscaped = (found: string, kept: string | undefined): string => kept ?? escaped(found);

const escaped = (character: string): string =>
  Array.from({ length: character.length }, (_, n) => `\\u${hex(character.charCodeAt(n))}`).join('');

const hex = (unit: number): string => unit.toString(16).padStart(4, '0');
