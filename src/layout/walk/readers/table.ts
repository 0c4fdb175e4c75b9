import type { InfoReader } from '../reader.ts';
import { readList } from './list.ts';
import { readMsixState } from './msix.ts';

/** By the name of the VMStateInfo. A reader is one file beside this one and one line here. */
export const infoReaders: ReadonlyMap<string, InfoReader> = new Map([
  ['msix state', readMsixState],
  ['qlist', readList],
  ['qtailq', readList],
]);
