/**
 * Environment of a codec server with a memory limit of 256 MiB. docs/limits.md (Memory) gives the reasons.
 * Tests, benchmarks and images use this; compose.yaml, the Helm chart and the docs repeat it, and
 * helm-operations.long.test.ts checks that they agree.
 */
export const WITHIN_256_MIB = {
  NODE_OPTIONS: '--max-old-space-size=96 --max-semi-space-size=4',
  MALLOC_ARENA_MAX: '1',
} as const;
