import { DecodeError } from '../bytes/diagnostic.ts';
import type { ContainerEnvironment } from '../containers/container.ts';
import { decompressCluster } from './cluster-decompress.ts';

/** Decompression with what Node has. */
export const nodeEnvironment: ContainerEnvironment = {
  decompress(format) {
    throw new DecodeError({ severity: 'error', code: 'unsupported', message: `${format} is not read yet` });
  },
  decompressCluster,
};
