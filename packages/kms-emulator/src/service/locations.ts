import { invalidArgument, KmsError } from '../model/errors.ts';
import { parseLocation } from '../model/names.ts';
import type { Handler } from './context.ts';
import { text } from './fields.ts';
import { page, type ListPage, type ListRequest } from './paging.ts';

interface LocationMessage {
  readonly name: string;
  readonly locationId: string;
  readonly displayName: string;
  readonly metadata: { readonly type_url: string; readonly value: Uint8Array };
}

/** Cloud KMS locations that have both of the emulator's protection levels (cloud.google.com/kms/docs/locations). */
const ids = `
  africa-south1 asia asia-east1 asia-east2 asia-northeast1 asia-northeast2 asia-northeast3 asia-south1 asia-south2
  asia-southeast1 asia-southeast2 asia1 australia-southeast1 australia-southeast2 ca eur3 eur4 eur5 eur6 europe
  europe-central2 europe-north1 europe-southwest1 europe-west1 europe-west10 europe-west12 europe-west2 europe-west3
  europe-west4 europe-west6 europe-west8 europe-west9 global me-central1 me-central2 me-west1 nam3 nam4 nam6
  northamerica-northeast1 northamerica-northeast2 southamerica-east1 southamerica-west1 us us-central1 us-east1 us-east4
  us-east5 us-south1 us-west1 us-west2 us-west3 us-west4
`
  .trim()
  .split(/\s+/)
  .toSorted();

/** This RPC needs no permission (cloud.google.com/kms/docs/reference/permissions-and-roles). */
export const getLocation: Handler<{ readonly name?: string | null }, LocationMessage> = ({ name }) => {
  const { name: wanted, location } = parseLocation(text(name));
  if (!ids.includes(location)) throw new KmsError('NOT_FOUND', `Location ${wanted} not found.`);
  return message(wanted);
};

export const listLocations: Handler<
  ListRequest & { name?: string | null },
  ListPage<'locations', LocationMessage>
> = (request) => {
  const parent = text(request.name);
  if (!/^projects\/[^/]+$/.test(parent))
    throw invalidArgument(`Resource name '${parent}' does not match the pattern 'projects/*'.`);
  const { items, ...rest } = page(
    ids.map((id) => message(`${parent}/locations/${id}`)),
    parent,
    request,
  );
  return { locations: items, ...rest };
};

/** `LocationMetadata` with `hsm_available` (field 1): the emulator has HSM keys everywhere. */
const metadata = {
  type_url: 'type.googleapis.com/google.cloud.kms.v1.LocationMetadata',
  value: Uint8Array.of(0x08, 0x01),
};

const message = (name: string): LocationMessage => {
  const locationId = name.slice(name.lastIndexOf('/') + 1);
  return { name, locationId, displayName: locationId, metadata };
};
