import { bundle } from '../../rolldown.config.ts';

export default bundle(['test/fuzz/main', 'test/fuzz/worker', 'test/fuzz/faults', 'test/fuzz/signals'], 'test/chunks');
