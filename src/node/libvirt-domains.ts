import { CommandPrefix } from './command-prefix.ts';
import type { LibvirtVmOptions } from './libvirt-vm.ts';
import { DEFAULT_STEP_LIMIT, StepLimit } from './step-limit.ts';
import { virshWords } from './virsh-monitor.ts';

/** Bytes of a list of domains. */
const MAX_LIST = 16 << 20;

/** Names of all domains of libvirt that run or are paused. Throws Error with libvirt's words. */
export async function activeDomains(options: LibvirtVmOptions = {}): Promise<string[]> {
  const { connect, via = [], timeout = DEFAULT_STEP_LIMIT } = options;
  const tooSlow = new AbortController();
  const limit = new StepLimit(timeout, (step) =>
    tooSlow.abort(`libvirt: it took longer than ${timeout / 1000} s ${step}`),
  );
  const step = limit.begin('listing domains');
  try {
    const { signal } = tooSlow;
    const prefix = await CommandPrefix.of(via, signal);
    const words = [...virshWords(connect), 'list', '--name'];
    const { status, output, message } = await prefix.run(words, { most: MAX_LIST, step, signal });
    if (status !== 0) throw new Error(`libvirt: ${message || `virsh ended with status ${status}`}`);
    return output
      .toString()
      .split('\n')
      .filter((line) => line !== '');
  } catch (error) {
    throw tooSlow.signal.aborted ? new Error(String(tooSlow.signal.reason)) : error;
  } finally {
    step.end();
    limit.close();
  }
}
