/** Returns a search attribute's value as text, without quotes. Separates the items of a list by commas. */
export const searchAttributeText = (value: unknown): string =>
  (Array.isArray(value) ? value : [value])
    .map((item: unknown) => (typeof item === 'string' ? item : JSON.stringify(item)))
    .join(', ');
