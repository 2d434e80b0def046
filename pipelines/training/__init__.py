"""Fine-tuning under Ray Train: example cache, batch plan, data loader, trainer, metrics log.

Begin with `finetune.py`, the phases of a training run; `trainer.py` is what each worker does.
"""
