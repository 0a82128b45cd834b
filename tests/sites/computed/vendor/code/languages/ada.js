document.querySelector('.language-ada').style.color = 'green';
