"""What every reader uses: the job, blocks, text, attachments, the composed document."""
