/** A process of a worker ends when the worker does, also where that was killed, also before there is anything to do. */
const end = () => process.exit();
process.on('disconnect', end);
if (process.send && !process.connected) end();
