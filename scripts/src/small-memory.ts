/**
 * Environment of a codec server with a memory limit of 256 MiB. docs/limits.md (Memory) explains the values.
 * Tests, benchmarks and images use this constant. compose.yaml, the Helm chart and the docs repeat the
 * values, and helm-operations.long.test.ts checks that they agree.
 */
export const WITHIN_256_MIB = {
  NODE_OPTIONS: '--max-old-space-size=96 --max-semi-space-size=4',
  MALLOC_ARENA_MAX: '1',
} as const;
