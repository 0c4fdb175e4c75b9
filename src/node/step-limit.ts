/** Milliseconds: what a slow host takes for any step, several times over. */
export const DEFAULT_STEP_LIMIT = 120_000;

/** Seconds that a timer can count: 24 days. */
export const MAX_SECONDS = 2_147_483;

/** In how many parts the time of a step is counted. */
const TICKS = 20;

/** Something that is waited for. */
export interface LimitedStep {
  /** It goes on: its time begins anew. */
  progress(): void;
  end(): void;
}

/**
 * Limits how long anything that is waited for may take without going on. Ticks are counted in place of looking at a
 * clock: while this process itself does not run (stopped, asleep, busy), next to none pass.
 */
export class StepLimit {
  readonly #steps = new Set<{ readonly text: string; ticks: number }>();
  readonly #timer: NodeJS.Timeout;

  /** `milliseconds` for each step; `onExceeded` gets the text of the first that takes longer. */
  constructor(milliseconds: number, onExceeded: (text: string) => void) {
    this.#timer = setInterval(() => {
      for (const step of this.#steps) {
        if (++step.ticks <= TICKS) continue;
        this.close();
        onExceeded(step.text);
        return;
      }
    }, milliseconds / TICKS);
  }

  /** Begins a step; `text` completes "while …". */
  begin(text: string): LimitedStep {
    const step = { text, ticks: 0 };
    this.#steps.add(step);
    return {
      progress() {
        step.ticks = 0;
      },
      end: () => void this.#steps.delete(step),
    };
  }

  /** Text of the step that was begun first of those that go on. */
  get current(): string | undefined {
    const [first] = this.#steps;
    return first?.text;
  }

  close(): void {
    clearInterval(this.#timer);
  }
}
