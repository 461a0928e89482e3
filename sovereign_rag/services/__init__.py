"""What the doors hold in hand: answers, searches, documents and jobs on behalf of principals."""
