const MAX_TEXT = 256;
/** Matches unprintable, unassigned and invisible characters, direction marks and line separators. */
const invisible = /[\p{C}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/gu;

/** Shortens text to `limit` characters, and escapes invisible characters. */
export const printable = (text: string, limit = MAX_TEXT): string =>
  (text.length > limit ? `${text.slice(0, limit)}…` : text).replaceAll(
    invisible,
    (character) => `\\u{${character.codePointAt(0)?.toString(16)}}`,
  );
