import { z } from 'zod';
import type { Variable } from './environment.ts';

/*
 * The OpenTelemetry variables that the codec server itself reads. OpenTelemetry's exporter reads more
 * variables, such as the time limit and certificates.
 * https://opentelemetry.io/docs/specs/otel/protocol/exporter/
 */

/**
 * The configuration of traces. The exporter itself reads the endpoint and the headers from the environment.
 */
export interface TracingConfig {
  /** The fraction of traces to export, from 0 to 1. */
  readonly ratio: number;
}

/** Each protocol has its own exporter package. The server includes only the exporter for `http/protobuf`. */
const protocol = z.literal('http/protobuf', 'must be http/protobuf: the server has no other exporter');

const endpoint = z.url({ protocol: /^https?$/, error: 'must be a URL with http or https' }).refine((url) => {
  const { username, password, search } = new URL(url);
  return username === '' && password === '' && search === '';
}, 'must contain neither credentials nor a query; set OTEL_EXPORTER_OTLP_HEADERS');

const RATIO = 'must be a number from 0 to 1';

export const tracingFields = {
  OTEL_EXPORTER_OTLP_ENDPOINT: endpoint.optional(),
  OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: endpoint.optional(),
  OTEL_EXPORTER_OTLP_PROTOCOL: protocol.optional(),
  OTEL_EXPORTER_OTLP_TRACES_PROTOCOL: protocol.optional(),
  OTEL_TRACES_SAMPLER_ARG: z.coerce.number(RATIO).min(0, RATIO).max(1, RATIO),
  OTEL_SDK_DISABLED: z.stringbool('must be true or false'),
};

/** Returns the configuration of traces, or undefined if no endpoint is set. */
export function tracingOf(values: z.infer<z.ZodObject<typeof tracingFields>>): {
  readonly tracing?: TracingConfig;
} {
  const { OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_EXPORTER_OTLP_TRACES_ENDPOINT } = values;
  const hasEndpoint = (OTEL_EXPORTER_OTLP_TRACES_ENDPOINT ?? OTEL_EXPORTER_OTLP_ENDPOINT) !== undefined;
  return hasEndpoint && !values.OTEL_SDK_DISABLED
    ? { tracing: { ratio: values.OTEL_TRACES_SAMPLER_ARG } }
    : {};
}

export const tracingVariables = {
  OTEL_EXPORTER_OTLP_ENDPOINT: {
    about:
      'Base URL of the OpenTelemetry collector for traces (OTLP over HTTP); /v1/traces is appended. Unset: no traces',
    example: 'http://127.0.0.1:4318',
    // The endpoint may contain credentials by mistake.
    secret: true,
  },
  OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: {
    about: "Complete URL of the collector's trace endpoint; overrides OTEL_EXPORTER_OTLP_ENDPOINT",
    example: 'https://collector.example.com/v1/traces',
    secret: true,
  },
  OTEL_EXPORTER_OTLP_PROTOCOL: { about: 'Must be http/protobuf, or unset', example: 'http/protobuf' },
  OTEL_EXPORTER_OTLP_TRACES_PROTOCOL: { about: 'Must be http/protobuf, or unset', example: 'http/protobuf' },
  OTEL_EXPORTER_OTLP_HEADERS: {
    about: 'Comma-separated headers (name=value) for the collector, such as its token',
    example: 'authorization=Bearer%20…',
    secret: true,
  },
  OTEL_EXPORTER_OTLP_TRACES_HEADERS: {
    about: 'Like OTEL_EXPORTER_OTLP_HEADERS, but for traces only',
    example: 'authorization=Bearer%20…',
    secret: true,
  },
  OTEL_SERVICE_NAME: {
    about: 'The service.name in the traces (default: temporal-kms-codec-server)',
    example: 'codec-server-eu',
  },
  OTEL_TRACES_SAMPLER_ARG: { about: 'Share of traces to export, from 0 to 1', example: '0.1', default: '1' },
  OTEL_SDK_DISABLED: { about: 'Turns off traces, even with an endpoint', example: 'true', default: 'false' },
} as const satisfies Record<string, Variable>;
