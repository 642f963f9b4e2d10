import { MemoryBudget } from '../../src/memory.ts';

/** A budget that no test exhausts. */
export const memory = new MemoryBudget(2 ** 30);
