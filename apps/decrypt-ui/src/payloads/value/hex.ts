/** A line of a hex dump, with sixteen bytes: `0000  50 4b 03 04 …  PK··`. */
export function hexLine(bytes: Uint8Array, line: number): { offset: string; hex: string; ascii: string } {
  const slice = [...bytes.subarray(line * 16, line * 16 + 16)];
  const hex = slice.map(hexByte);
  const ascii = slice.map((byte) => (byte >= 32 && byte < 127 ? String.fromCharCode(byte) : '·'));
  return {
    offset: (line * 16).toString(16).padStart(4, '0'),
    hex: [hex.slice(0, 8).join(' '), hex.slice(8).join(' ')].join('  '),
    ascii: ascii.join(''),
  };
}

export const hexByte = (byte: number): string => byte.toString(16).padStart(2, '0');
