import type { Permission } from '@temporal-kms/codec-api';
import type { ZodObject, ZodType } from 'zod';

/** What the document says of one route. */
export interface Operation {
  readonly method: 'get' | 'post';
  /** As OpenAPI writes it, from the server's prefix on: `/api/namespaces/{namespace}/workflows`. */
  readonly path: string;
  readonly operationId: string;
  readonly summary: string;
  readonly description?: string;
  /** `known`: whoever has signed in. Absent: everybody may ask. */
  readonly permission?: Permission | 'known';
  readonly query?: ZodObject;
  readonly headers?: Readonly<Record<string, { readonly required: boolean; readonly description: string }>>;
  /** A schema of `components.ts`. */
  readonly body?: ZodType;
  readonly answer: Answer;
  /** Errors are JSON, but of the codec protocol, whose callers print them as text. */
  readonly errors?: 'text';
}

interface Answer {
  readonly description: string;
  readonly type: 'application/json' | 'application/x-ndjson';
  /** A schema of `components.ts`; of one line where the answer is NDJSON. Absent: any JSON. */
  readonly schema?: ZodType;
}
