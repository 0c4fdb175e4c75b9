import type { ByteSource } from '../bytes/source.ts';
import { Window } from '../bytes/window.ts';

/** Bytes that are rather read than jumped over: a jump ends the reading ahead. */
const SHORT_GAP = 1 << 20;

/** Reads places of a source in rising order, as fast as if all of it were read. */
export class ForwardReader {
  readonly window: Window;

  constructor(source: ByteSource) {
    this.window = new Window(source);
  }

  /** Moves the window to an offset. Throws what the source throws. */
  async moveTo(offset: number): Promise<void> {
    const { window } = this;
    const gap = offset - window.offset;
    while (gap > 0 && gap <= SHORT_GAP && offset > window.offset + (window.limit - window.pos)) {
      window.pos = window.limit;
      if (!(await window.ensure(1))) break;
    }
    window.seek(offset);
  }
}
