import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { getHeapStatistics } from 'node:v8';
import { READS_CHANNEL } from '../node/file-source.ts';

/** Bytes of the heap that a byte of input may come to take, roughly: what inputs made for that have been seen to take. */
const GROWTH = 300;
/** That part of the heap's limit behind which its end is waited for. */
const NEAR = 0.25;

/**
 * Has `end` called when the heap is used up, in place of V8's end of the process with SIGABRT and pages of its own. It is
 * to end the process: what runs is interrupted for it, and there is room left for that.
 *
 * Only V8's debugger is told of that in time. As it takes some hundredths of a second to begin, it does so where what was
 * read makes the end possible. Without a debugger in Node nothing happens.
 */
export function whenHeapEnds(end: () => void): void {
  /** Bytes that can be read before the heap is looked at again. */
  let harmless = 0;
  const onRead = (message: unknown) => {
    const length = Number(message);
    harmless -= length;
    if (harmless > 0) return;
    const { used_heap_size: used, heap_size_limit: limit } = getHeapStatistics();
    harmless = (NEAR * limit - used) / GROWTH - length;
    if (harmless > 0) return;
    unsubscribe(READS_CHANNEL, onRead);
    waitForEnd(end);
  };
  subscribe(READS_CHANNEL, onRead);
}

function waitForEnd(end: () => void): void {
  const inspector = process.getBuiltinModule('node:inspector');
  if (!inspector) return;
  const session = new inspector.Session();
  session.connect();
  session.on('Debugger.paused', ({ params }) => {
    if (params.reason === 'OOM') end();
  });
  session.post('Debugger.enable', { maxScriptsCacheSize: 0 });
}
