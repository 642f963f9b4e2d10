/** Returns a line of a hex dump, with sixteen bytes by default: `0000 50 4b 03 04 … PK··`. */
export function hexLine(
  bytes: Uint8Array,
  line: number,
  perLine: 8 | 16 = 16,
): { offset: string; hex: string; ascii: string } {
  const slice = [...bytes.subarray(line * perLine, (line + 1) * perLine)];
  const hex = slice.map(hexByte);
  const ascii = slice.map((byte) => (byte >= 32 && byte < 127 ? String.fromCharCode(byte) : '·'));
  const halves = [hex.slice(0, perLine / 2), hex.slice(perLine / 2)];
  return {
    offset: (line * perLine).toString(16).padStart(4, '0'),
    hex: halves.map((half) => half.join(' ')).join('  '),
    ascii: ascii.join(''),
  };
}

export const hexByte = (byte: number): string => byte.toString(16).padStart(2, '0');
