/**
 * Widths of the field of dots that stands for a payload. They are buckets on purpose: the exact length of a value is
 * information about it.
 */
export type MaskWidth = 16 | 32 | 56 | 88;

export function maskWidth(bytes: number): MaskWidth {
  if (bytes <= 16) return 16;
  if (bytes <= 128) return 32;
  return bytes <= 512 ? 56 : 88;
}
