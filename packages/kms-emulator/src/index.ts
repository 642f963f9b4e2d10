export { startEmulator } from './emulator.ts';
export type { Emulator, EmulatorOptions } from './emulator.ts';
export type { Controls } from './control/controls.ts';
export type { Clock } from './model/clock.ts';
