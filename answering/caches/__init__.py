"""What need not be made twice: `embedding` (vectors), `retrieval` (rankings), `answer` (whole answers).

All are bounded in size and age, miss when what they rest on is gone, and raise nothing into the pipeline."""
