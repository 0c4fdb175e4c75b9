import { bytes, type InfoReader, integer } from '../reader.ts';

/** migration/savevm.c, put_capability: a name with its length. */
export const readCapability: InfoReader = function* () {
  const length = yield* integer('len', 'uint8');
  if (length > 0) yield* bytes('name', 'buffer', length);
};
