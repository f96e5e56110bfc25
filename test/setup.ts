// Tests create models without waiting for their code.
import '../allocators/all.ts';
