import { Metadata, status as grpcStatus, type StatusObject } from '@grpc/grpc-js';
import type { KmsError } from '../model/errors.ts';
import type { Protos } from './protos.ts';

/** A refusal as gRPC sends it, its typed details in `grpc-status-details-bin` as Google's services do. */
export function toGrpcStatus(error: KmsError, protos: Protos): StatusObject {
  const code = grpcStatus[error.status];
  const metadata = new Metadata();
  const details = packed(error, protos);
  if (details.length > 0) {
    metadata.set(
      'grpc-status-details-bin',
      protos.encodeRpc('Status', { code, message: error.message, details }),
    );
  }
  return { code, details: error.message, metadata };
}

function packed({ details: { violations, info } }: KmsError, protos: Protos): object[] {
  const any = (name: string, message: object) => ({
    type_url: `type.googleapis.com/google.rpc.${name}`,
    value: protos.encodeRpc(name, message),
  });
  return [
    ...(violations === undefined ? [] : [any('PreconditionFailure', { violations })]),
    ...(info === undefined ? [] : [any('ErrorInfo', info)]),
  ];
}
