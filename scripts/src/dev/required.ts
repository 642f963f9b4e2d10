/** @throws Error that says how the variable comes to be set. */
export function required(variable: string): string {
  const value = process.env[variable];
  if (!value) throw new Error(`${variable} is not set. \`dev\` sets it: start with \`pnpm dev\`.`);
  return value;
}

export const requiredPort = (variable: string): number => Number(required(variable));
